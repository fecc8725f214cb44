"""The latent space: encoding, gradient probe, cones and projections to a map."""
