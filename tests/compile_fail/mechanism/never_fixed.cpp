// expect: wrong both ways
static_assert(sizeof(char) == 2, "wrong both ways");
