"""Where a configuration comes from: sources over one another, checked and explained."""
