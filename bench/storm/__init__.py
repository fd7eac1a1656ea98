"""Is any abnormal report ever forgotten? Many of them, staff who do what they should not, and a judge beside them."""
