/* libimage_filter: the native half of image_filter.py: a blur that works on a copy of the image, and does not free the copy.
 *
 * A contrast filter beside it frees its own.
 */
#include <stdlib.h>
#include <string.h>

static unsigned char *copy_image(const unsigned char *image, size_t size) {
    unsigned char *copy = (unsigned char *)malloc(size); /* LEAK copy_image */
    if (copy != NULL) {
        memcpy(copy, image, size);
    }
    return copy;
}

unsigned long blur(unsigned char *image, size_t size) {
    unsigned char *copy = copy_image(image, size);
    unsigned long sum = 0;
    if (copy == NULL) {
        return 0;
    }
    for (size_t at = 1; at + 1 < size; at++) {
        image[at] = (unsigned char)((copy[at - 1] + copy[at] + copy[at + 1]) / 3);
        sum += image[at];
    }
    return sum; /* the bug: copy */
}

unsigned long contrast(unsigned char *image, size_t size) {
    unsigned char *table = (unsigned char *)malloc(256);
    unsigned long sum = 0;
    if (table == NULL) {
        return 0;
    }
    for (int value = 0; value < 256; value++) {
        table[value] = (unsigned char)(value < 128 ? value / 2 : 128 + value / 2);
    }
    for (size_t at = 0; at < size; at++) {
        image[at] = table[image[at]];
        sum += image[at];
    }
    free(table);
    return sum;
}
