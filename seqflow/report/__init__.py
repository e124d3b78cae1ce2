"""Pages for people: one HTML file with its sounds and pictures in it, which fetches nothing."""
