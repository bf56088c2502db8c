"""What an expert may do with its money: sizes, limits, stops and halts. All rules are pure."""
