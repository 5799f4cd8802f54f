// A growing byte buffer that never zero-fills what is about to be overwritten.
//
// `std::vector<std::byte>::resize` clears first, which costs as much as writing an answer does. Here `extend`
// hands out raw room at the end and the caller fills it. Pointers and views are good until the next growth.
#pragma once

#include "base/bytes.hpp"

#include <algorithm>
#include <memory>

namespace holdfast {

class byte_buffer {
  public:
    byte_buffer() = default;
    explicit byte_buffer(std::size_t capacity) { reserve(capacity); }
    byte_buffer(byte_buffer&& other) noexcept { swap(other); }
    byte_buffer& operator=(byte_buffer&& other) noexcept {
        byte_buffer taken{std::move(other)};
        swap(taken);
        return *this;
    }
    byte_buffer(const byte_buffer&) = delete;
    byte_buffer& operator=(const byte_buffer&) = delete;
    ~byte_buffer() = default;

    [[nodiscard]] std::byte* data() { return bytes_.get(); }
    [[nodiscard]] const std::byte* data() const { return bytes_.get(); }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] byte_view view() const { return {bytes_.get(), size_}; }

    // Room for `count` more bytes at the end, counted as written; the caller must fill them.
    [[nodiscard]] std::byte* extend(std::size_t count) {
        if (capacity_ - size_ < count)
            grow(count);
        std::byte* const at = bytes_.get() + size_;
        size_ += count;
        return at;
    }

    void append(byte_view bytes) {
        if (!bytes.empty())
            std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
    }
    void append(std::string_view text) { append(as_bytes(text)); }
    void append(char character) { *extend(1) = static_cast<std::byte>(character); }
    template <std::integral T>
    void append_big(T value) {
        store_big(extend(sizeof value), value);
    }

    // Forgets the bytes from `size` on, or all of them; the memory is kept for reuse.
    void truncate(std::size_t size) {
        HOLDFAST_CHECK(size <= size_);
        size_ = size;
    }
    void clear() { size_ = 0; }

    void reserve(std::size_t capacity) {
        if (capacity > capacity_)
            grow(capacity - size_);
    }

    // Gives the bytes away without copying them; the buffer is empty and without memory afterwards.
    [[nodiscard]] shared_bytes release() {
        const byte_view written = view();
        std::shared_ptr<std::byte[]> owner{std::move(bytes_)};
        size_ = 0;
        capacity_ = 0;
        if (written.empty())
            return {};
        return {std::shared_ptr<const void>{owner, owner.get()}, written};
    }

  private:
    void grow(std::size_t count) {
        constexpr std::size_t smallest = 256;
        HOLDFAST_CHECK(count <= ~std::size_t{0} / 4 && size_ <= ~std::size_t{0} / 4);
        const std::size_t capacity = std::max({smallest, capacity_ * 2, size_ + count});
        std::unique_ptr<std::byte[]> bytes{new std::byte[capacity]};
        if (size_ != 0)
            std::memcpy(bytes.get(), bytes_.get(), size_);
        bytes_ = std::move(bytes);
        capacity_ = capacity;
    }

    void swap(byte_buffer& other) noexcept {
        std::swap(bytes_, other.bytes_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

} // namespace holdfast
