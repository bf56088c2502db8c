"""What a desk asks of its logs, shown on the demo's own run: orders, a refusal, an error, an alert, secrets."""
