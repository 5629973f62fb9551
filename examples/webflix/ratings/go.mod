module webflix/ratings

go 1.19
