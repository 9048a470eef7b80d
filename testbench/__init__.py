"""The proof that two forms of a network are equal: stimulus, golden model, comparison, benches."""
