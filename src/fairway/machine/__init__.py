"""What Fairway needs of the machine it runs on: looked at, judged, and mended by whom it concerns.

look.py    reads the machine; no opinion
judge.py   opinions; pure functions of what was seen
doctor.py  every check in order
"""
