"""What the parts share, a room a stage; the files beside the rooms are used by all of them."""
