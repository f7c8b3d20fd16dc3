"""What a replay region holds, read from an image of it: no board is needed, nothing is changed."""
