"""Networks and how they are kept: U-Net, VAE, weights, and the hardware they run on."""
