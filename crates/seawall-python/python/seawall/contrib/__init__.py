"""An uncaught error of Redis becomes *503 Service Unavailable* with its cause, in the frameworks' own ways."""
