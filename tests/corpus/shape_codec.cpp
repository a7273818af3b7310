// shape_codec: decodes messages into objects of derived classes and deletes them through their base, which has no virtual
// destructor: what the derived class owns stays behind. FIXED makes it virtual.
#include "service.h"

#pragma GCC diagnostic ignored "-Wdelete-non-virtual-dtor"
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"

#include <vector>

static unsigned long living;

struct Shape {
    virtual size_t area() const = 0;
#ifdef FIXED
    virtual ~Shape() = default;
#else
    ~Shape() = default; // the bug
#endif
};

struct Bitmap : Shape {
    std::vector<unsigned char> pixels;
    SERVICE_NOINLINE void load_pixels(size_t size) {
        pixels.assign(size, 7); // LEAK load_pixels
        living++;
    }
    size_t area() const override { return pixels.size(); }
#ifdef FIXED
    ~Bitmap() override { living--; }
#endif
};

struct Circle : Shape {
    size_t radius;
    explicit Circle(size_t r) : radius(r) {}
    size_t area() const override { return radius * radius * 3; }
};

static Shape *decode(unsigned long tag, size_t size) {
    if (tag == 0) {
        auto *bitmap = new Bitmap();
        bitmap->load_pixels(size);
        return bitmap;
    }
    return new Circle(size);
}

int main(int argc, char **argv) {
    service_start(argc, argv, 260);
    size_t sum = 0;
    while (service_next()) {
        Shape *shape = decode(service_below(3), 12000 + service_below(16000));
        sum += shape->area();
        service_work();
        delete shape;
    }
    service_end(living, 0, sum == 0);
}
