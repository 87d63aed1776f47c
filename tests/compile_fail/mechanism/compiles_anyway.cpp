// expect: anything, because this program is correct both ways
int value = 1;
