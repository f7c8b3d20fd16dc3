"""The serial link: frames (wire), file transfers (files), the loop that answers (agent)."""
