"""The options of everything a configuration describes: frozen, keyword-only, validated where they are defined."""
