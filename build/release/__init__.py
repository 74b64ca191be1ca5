"""Publishers, the hand-off, the ledger, the roll-out."""
