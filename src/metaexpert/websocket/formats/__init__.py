"""The exchanges' frame formats, one file each; each `parse` answers None for a frame that is not its exchange's."""
