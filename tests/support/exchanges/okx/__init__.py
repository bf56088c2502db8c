"""OKX v5 as it speaks: spot and perpetual swaps from one trading account, REST and streams."""
