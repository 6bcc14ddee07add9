"""Episodes: stored durably, recalled by meaning, words and feeling."""
