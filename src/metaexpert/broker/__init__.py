"""Who takes orders: the paper broker and the exchange's; both look the same to an expert."""
