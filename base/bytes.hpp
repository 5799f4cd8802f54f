// Shared byte slices and byte-order helpers.
//
// `shared_bytes` is the currency between actors: an immutable, reference-counted slice. Copying or slicing it
// copies no bytes. The log's own format is little-endian, RocketMQ's wire is big-endian; both are spelled out
// at the call.
#pragma once

#include "base/check.hpp"

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace holdfast {

using byte_view = std::span<const std::byte>;

class shared_bytes {
  public:
    shared_bytes() = default;
    // Takes part in `owner`; `view` must lie within what it keeps alive.
    shared_bytes(std::shared_ptr<const void> owner, byte_view view) : owner_(std::move(owner)), view_(view) {}

    static shared_bytes copy_of(byte_view bytes) {
        if (bytes.empty())
            return {};
        std::shared_ptr<std::byte[]> owner{new std::byte[bytes.size()]};
        std::memcpy(owner.get(), bytes.data(), bytes.size());
        const byte_view view{owner.get(), bytes.size()};
        return {std::shared_ptr<const void>{owner, owner.get()}, view};
    }

    [[nodiscard]] const std::byte* data() const { return view_.data(); }
    [[nodiscard]] std::size_t size() const { return view_.size(); }
    [[nodiscard]] bool empty() const { return view_.empty(); }
    [[nodiscard]] byte_view view() const { return view_; }

    [[nodiscard]] shared_bytes slice(std::size_t first, std::size_t count) const {
        HOLDFAST_CHECK(first <= view_.size() && count <= view_.size() - first);
        return {owner_, view_.subspan(first, count)};
    }

  private:
    std::shared_ptr<const void> owner_;
    byte_view view_;
};

[[nodiscard]] inline byte_view as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

[[nodiscard]] inline std::string_view as_text(byte_view bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <std::integral T>
[[nodiscard]] constexpr T swap_bytes(T value) {
    if constexpr (sizeof(T) == 1)
        return value;
    else if constexpr (sizeof(T) == 2)
        return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
    else if constexpr (sizeof(T) == 4)
        return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
    else
        return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
}

static_assert(std::endian::native == std::endian::little, "the helpers below assume a little-endian machine");

template <std::integral T>
[[nodiscard]] T load_little(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <std::integral T>
[[nodiscard]] T load_big(const std::byte* from) {
    return swap_bytes(load_little<T>(from));
}

template <std::integral T>
void store_little(std::byte* to, T value) {
    std::memcpy(to, &value, sizeof value);
}

template <std::integral T>
void store_big(std::byte* to, T value) {
    store_little(to, swap_bytes(value));
}

[[nodiscard]] constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

[[nodiscard]] constexpr std::uint64_t align_down(std::uint64_t value, std::uint64_t alignment) {
    return value / alignment * alignment;
}

} // namespace holdfast
