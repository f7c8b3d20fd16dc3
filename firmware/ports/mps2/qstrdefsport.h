// qstrs of this port that no source names; none so far
