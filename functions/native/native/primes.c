/* How many primes there are up to a number, by the sieve of Eratosthenes. */

#include <stdlib.h>

/* Returns -1 if there is no memory for it. */
long primes_up_to(long last)
{
    long count = 0;
    char *composite;

    if (last < 2)
        return 0;
    composite = calloc((size_t) last + 1, 1);
    if (composite == NULL)
        return -1;
    for (long number = 2; number <= last; number++) {
        if (composite[number])
            continue;
        count++;
        for (long multiple = number; multiple <= last / number; multiple++)
            composite[multiple * number] = 1;
    }
    free(composite);
    return count;
}
