"""What leaves the bot as files: listings as they are stored, data sets in the shape of SDTM, and a manifest."""
