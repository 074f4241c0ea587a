"""Reports: the leaderboard, the files of a sweep and its pictures."""
