"""Search for networks: trials drawn by Optuna, trained and synthesised by the ordinary stages."""
