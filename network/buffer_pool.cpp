#include "network/buffer_pool.hpp"

#include <algorithm>

namespace holdfast::network {

std::shared_ptr<read_buffer> buffer_pool::take(std::size_t capacity) {
    const auto* const fitting = std::lower_bound(classes.begin(), classes.end(), capacity);
    if (fitting == classes.end())
        return std::make_shared<read_buffer>(std::unique_ptr<std::byte[]>{new std::byte[capacity]}, capacity);
    std::unique_ptr<read_buffer> buffer;
    {
        const std::lock_guard guard{mutex_};
        auto& unused = unused_[static_cast<std::size_t>(fitting - classes.begin())];
        if (!unused.empty()) {
            buffer = std::move(unused.back());
            unused.pop_back();
            unused_bytes_ -= *fitting;
        }
    }
    if (!buffer)
        buffer =
            std::make_unique<read_buffer>(std::unique_ptr<std::byte[]>{new std::byte[*fitting]}, *fitting);
    return {buffer.release(), [pool = shared_from_this()](read_buffer* done) {
                pool->put_back(std::unique_ptr<read_buffer>{done});
            }};
}

std::size_t buffer_pool::unused_bytes() const {
    const std::lock_guard guard{mutex_};
    return unused_bytes_;
}

void buffer_pool::put_back(std::unique_ptr<read_buffer> buffer) {
    const auto capacity = buffer->capacity();
    const auto* const fitting = std::lower_bound(classes.begin(), classes.end(), capacity);
    const std::lock_guard guard{mutex_};
    if (unused_bytes_ + capacity > keep_bytes_)
        return;
    unused_[static_cast<std::size_t>(fitting - classes.begin())].push_back(std::move(buffer));
    unused_bytes_ += capacity;
}

} // namespace holdfast::network
