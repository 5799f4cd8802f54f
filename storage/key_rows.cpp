#include "storage/key_rows.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace holdfast::storage {

namespace {

constexpr std::size_t largest_width = 8;
constexpr std::size_t header_bytes_max = 4 * (1 + largest_width); // of the count and of three columns

std::size_t width_of(std::uint64_t number) {
    return (static_cast<std::size_t>(std::bit_width(number)) + 7) / 8;
}

std::uint64_t load_narrow(const std::byte* from, std::size_t width) {
    std::uint64_t number = 0;
    std::memcpy(&number, from, width);
    return number;
}

// Writes one column to `to` and returns where it ends. Each number is stored whole and the next one over
// what is too much of it, so up to 8 bytes behind the end are written too.
template <class Number>
std::byte* pack_column(std::span<const key_entry> entries, std::byte* to, Number number) {
    auto smallest = number(entries.front());
    auto largest = smallest;
    for (const auto& entry : entries) {
        smallest = std::min(smallest, number(entry));
        largest = std::max(largest, number(entry));
    }
    const auto width = width_of(largest - smallest);
    *to++ = static_cast<std::byte>(width_of(smallest) | width << 4U);
    store_little(to, smallest);
    to += width_of(smallest);
    for (const auto& entry : entries) {
        store_little(to, number(entry) - smallest);
        to += width;
    }
    return to;
}

} // namespace

void key_dealer::deal(std::span<const key_entry> entries, log_position first, log_position last) {
    const auto is_meant = [first, last](const key_entry& entry) {
        return entry.position >= first && entry.position < last;
    };
    ends_.assign(key_buckets + 1, 0);
    for (const auto& entry : entries)
        if (is_meant(entry))
            ++ends_[std::size_t{key_bucket_of(entry.hash)} + 1];
    for (std::size_t i = 1; i < ends_.size(); ++i)
        ends_[i] += ends_[i - 1];
    // Now ends_[i] is where bucket i begins; filling it moves that to its end.
    dealt_.resize(ends_.back());
    for (const auto& entry : entries)
        if (is_meant(entry))
            dealt_[ends_[key_bucket_of(entry.hash)]++] = entry;
}

std::span<const key_entry> key_dealer::bucket(std::size_t number) const {
    const auto begin = number == 0 ? 0U : ends_[number - 1];
    return {dealt_.data() + begin, ends_[number] - begin};
}

byte_view pack_key_row(std::span<const key_entry> entries, std::vector<std::byte>& scratch) {
    const std::uint64_t count = entries.size();
    scratch.resize(header_bytes_max + (3 * entries.size() + 1) * largest_width);
    auto* to = scratch.data();
    *to++ = static_cast<std::byte>(width_of(count));
    store_little(to, count);
    to += width_of(count);
    to = pack_column(entries, to, [](const key_entry& entry) { return entry.hash; });
    to = pack_column(entries, to, [](const key_entry& entry) { return entry.position.value(); });
    to = pack_column(entries, to, [](const key_entry& entry) {
        return static_cast<std::uint64_t>(entry.stored_at.value());
    });
    return {scratch.data(), static_cast<std::size_t>(to - scratch.data())};
}

std::optional<key_row> key_row::parse(byte_view bytes) {
    if (bytes.empty())
        return std::nullopt;
    const auto width = std::to_integer<std::size_t>(bytes.front());
    if (width > sizeof(std::uint32_t) || width >= bytes.size())
        return std::nullopt;
    key_row row;
    row.size_ = load_narrow(bytes.data() + 1, width);
    auto rest = bytes.subspan(1 + width);
    for (auto* column : {&row.hashes_, &row.positions_, &row.times_}) {
        const auto taken = take_column(rest, row.size_);
        if (!taken)
            return std::nullopt;
        *column = *taken;
    }
    return rest.empty() ? std::optional{row} : std::nullopt;
}

std::optional<key_row::column> key_row::take_column(byte_view& rest, std::size_t size) {
    if (rest.empty())
        return std::nullopt;
    const auto widths = std::to_integer<std::size_t>(rest.front());
    const auto smallest_width = widths & 0xFU;
    const auto width = widths >> 4U;
    rest = rest.subspan(1);
    // `size` is below 2^32, so nothing here overflows.
    if (smallest_width > largest_width || width > largest_width ||
        smallest_width + size * width > rest.size())
        return std::nullopt;
    const column taken{load_narrow(rest.data(), smallest_width), width, rest.data() + smallest_width};
    rest = rest.subspan(smallest_width + size * width);
    return taken;
}

std::uint64_t key_row::column::number(std::size_t at) const {
    return smallest + load_narrow(distances + at * width, width);
}

key_entry key_row::entry(std::size_t at) const {
    return {hashes_.number(at), log_position{positions_.number(at)},
            timestamp_ms{static_cast<std::int64_t>(times_.number(at))}};
}

} // namespace holdfast::storage
