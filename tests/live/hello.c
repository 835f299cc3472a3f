/* Something to compile while a capture runs. */
#include <stdio.h>

int main(void)
{
	puts("hello");
	return 0;
}
