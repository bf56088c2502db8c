"""The measurements, one file for each; ``catalogue`` names them."""
