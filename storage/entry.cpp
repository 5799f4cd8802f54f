#include "storage/entry.hpp"

#include "base/checksum.hpp"

#include <string>

namespace holdfast::storage {

namespace {

constexpr std::size_t first_checked_byte = 8;
constexpr std::size_t flushed_offset = 32;
constexpr std::size_t flushed_size = sizeof(std::uint64_t);
constexpr unsigned mark_check_bits = 16;
constexpr std::uint64_t mark_check_mask = (1U << mark_check_bits) - 1;
constexpr std::uint64_t mark_limit = 1ULL << (64 - mark_check_bits);

// `distance` in units of entry_alignment.
std::uint64_t with_check(std::uint64_t distance) {
    std::byte bytes[sizeof distance];
    store_little(bytes, distance << mark_check_bits);
    const auto check = crc32c(std::span{bytes}.subspan(mark_check_bits / 8));
    return distance << mark_check_bits | (check & mark_check_mask);
}

std::uint64_t flushed_mark(log_position position, log_position flushed) {
    HOLDFAST_CHECK(flushed <= position && flushed.value() % entry_alignment == 0);
    const auto distance = (position - flushed) / entry_alignment;
    HOLDFAST_CHECK(distance < mark_limit);
    return with_check(distance);
}

// `entry` is the whole of it.
std::uint32_t checksum_of(byte_view entry) {
    constexpr std::byte unmarked[flushed_size]{};
    const auto before = crc32c(entry.subspan(first_checked_byte, flushed_offset - first_checked_byte));
    return crc32c(entry.subspan(flushed_offset + flushed_size), crc32c(unmarked, before));
}

void encode_header(const entry_header& header, std::byte* to) {
    store_little(to, entry_magic);
    store_little(to + 4, header.checksum);
    store_little(to + 8, header.length);
    store_little(to + 12, header.previous_checksum);
    store_little(to + 16, header.position.value());
    store_little(to + 24, header.term.value());
    store_little(to + flushed_offset, flushed_mark(header.position, header.flushed));
    store_little(to + 40, header.timestamp.value());
    store_little(to + 48, header.count);
    store_little(to + 52, entry_version);
    store_little(to + 54, header.flags);
    store_little(to + 56, header.committed.value());
}

error malformed(std::string what) {
    return {errc::malformed, "not a log entry: " + std::move(what)};
}

} // namespace

void seal_entry(entry_header& header, std::span<std::byte> entry) {
    HOLDFAST_CHECK(entry.size() >= entry_header_size && entry.size() <= max_entry_length);
    HOLDFAST_CHECK(header.position.value() % entry_alignment == 0);
    HOLDFAST_CHECK(header.committed <= header.position);
    HOLDFAST_CHECK(!header.is_filler() || entry.size() == entry_header_size);
    header.length = static_cast<std::uint32_t>(entry.size());
    encode_header(header, entry.data());
    header.checksum = checksum_of(entry);
    store_little(entry.data() + 4, header.checksum);
}

shared_bytes seal_filler(entry_header& header) {
    header.flags = filler_flag;
    header.count = 0;
    std::shared_ptr<std::byte[]> owner{new std::byte[entry_header_size]};
    seal_entry(header, {owner.get(), entry_header_size});
    const byte_view view{owner.get(), entry_header_size};
    return {std::shared_ptr<const void>{owner, owner.get()}, view};
}

void patch_flushed(std::span<std::byte> entry, log_position flushed) {
    HOLDFAST_CHECK(entry.size() >= entry_header_size);
    const log_position position{load_little<std::uint64_t>(entry.data() + 16)};
    store_little(entry.data() + flushed_offset, flushed_mark(position, flushed));
}

result<entry_header> decode_entry_header(byte_view bytes) {
    if (bytes.size() < entry_header_size)
        return malformed("only " + std::to_string(bytes.size()) + " bytes, a header has 64");
    const std::byte* from = bytes.data();
    if (load_little<std::uint32_t>(from) != entry_magic)
        return malformed("no magic number");
    entry_header header;
    header.checksum = load_little<std::uint32_t>(from + 4);
    header.length = load_little<std::uint32_t>(from + 8);
    header.previous_checksum = load_little<std::uint32_t>(from + 12);
    header.position = log_position{load_little<std::uint64_t>(from + 16)};
    header.term = term_number{load_little<std::uint64_t>(from + 24)};
    const auto mark = load_little<std::uint64_t>(from + flushed_offset);
    header.committed = log_position{load_little<std::uint64_t>(from + 56)};
    header.timestamp = timestamp_ms{load_little<std::int64_t>(from + 40)};
    header.count = load_little<std::uint32_t>(from + 48);
    const auto version = load_little<std::uint16_t>(from + 52);
    header.flags = load_little<std::uint16_t>(from + 54);
    if (version == 1)
        return error{
            errc::not_supported,
            "this log entry was written by an earlier build of Holdfast (format version 1, this build "
            "reads " +
                std::to_string(entry_version) +
                "); start that build again on this data, or start this one with an empty data "
                "directory"};
    if (version != entry_version)
        return malformed("format version " + std::to_string(version) + ", this build reads " +
                         std::to_string(entry_version));
    if (header.length < entry_header_size || header.length > max_entry_length)
        return malformed("length " + std::to_string(header.length) + " is out of range");
    if (header.position.value() > max_log_position)
        return malformed("position is out of range");
    if (header.position.value() % entry_alignment != 0)
        return malformed("position " + std::to_string(header.position.value()) + " is not aligned");
    const auto distance = mark >> mark_check_bits;
    if (mark != with_check(distance))
        return malformed("the check of the flushed position does not hold");
    if (distance > header.position.value() / entry_alignment)
        return malformed("flushed position lies before the log's beginning");
    header.flushed = log_position{header.position.value() - distance * entry_alignment};
    if (header.committed > header.position)
        return malformed("committed position lies behind the entry");
    if ((header.flags & ~(filler_flag | members_flag)) != 0)
        return malformed("unknown flags");
    if (header.is_filler() && header.length != entry_header_size)
        return malformed("a filler with a body");
    return header;
}

result<entry_header> decode_entry(byte_view bytes) {
    auto header = decode_entry_header(bytes);
    if (!header)
        return header;
    if (bytes.size() < header->length)
        return malformed("it ends after " + std::to_string(bytes.size()) + " of " +
                         std::to_string(header->length) + " bytes");
    if (checksum_of(bytes.first(header->length)) != header->checksum)
        return error{errc::corrupted, "the checksum of the log entry does not hold"};
    return header;
}

} // namespace holdfast::storage
