"""The serial link: frames (`wire`), file transfers (`files`) and the loop that answers (`agent`)."""
