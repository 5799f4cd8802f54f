#include "storage/truncation.hpp"

#include "base/checksum.hpp"
#include "storage/entry.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

namespace holdfast::storage {

namespace {

constexpr std::uint32_t magic = 0x52544648; // "HFTR"
constexpr std::uint32_t format_version = 1;
constexpr std::size_t intent_size = 32;
constexpr std::size_t first_checked_byte = 8;
constexpr std::uint64_t chunk_bytes = 1U << 20U;

path intent_name(const segment_set& segments) {
    return segments.directory() / "truncation";
}

error damaged(const path& name, const std::string& what) {
    return {errc::corrupted,
            name.string() + ": " + what +
                ". It says where the end of the log was being cut off when this node stopped. "
                "Nothing was changed. Start this node as a new member with an empty store."};
}

result<void> write_intent(segment_set& segments, truncation range) {
    std::byte bytes[intent_size]{};
    store_little(bytes, magic);
    store_little(bytes + 8, format_version);
    store_little(bytes + 16, range.at.value());
    store_little(bytes + 24, range.end.value());
    store_little(bytes + 4, crc32c(std::span{bytes}.subspan(first_checked_byte)));
    return replace_file(segments.files(), intent_name(segments), bytes);
}

result<std::optional<truncation>> read_intent(const segment_set& segments) {
    const auto name = intent_name(segments);
    const auto bytes = read_file(segments.files(), name, intent_size);
    if (!bytes && bytes.failure().code == errc::not_found)
        return std::optional<truncation>{};
    if (!bytes && bytes.failure().code != errc::too_large)
        return bytes.failure();
    if (!bytes || bytes->size() != intent_size || load_little<std::uint32_t>(bytes->data()) != magic)
        return damaged(name, "not a truncation file");
    if (crc32c(byte_view{*bytes}.subspan(first_checked_byte)) !=
        load_little<std::uint32_t>(bytes->data() + 4))
        return damaged(name, "the checksum does not hold");
    if (const auto version = load_little<std::uint32_t>(bytes->data() + 8); version != format_version)
        return error{errc::not_supported, name.string() + ": format version " + std::to_string(version) +
                                              ", this build reads " + std::to_string(format_version)};
    const truncation range{log_position{load_little<std::uint64_t>(bytes->data() + 16)},
                           log_position{load_little<std::uint64_t>(bytes->data() + 24)}};
    if (range.at.value() % entry_alignment != 0 || range.at > range.end ||
        range.end.value() > max_log_position)
        return damaged(name, "the range makes no sense");
    return std::optional{range};
}

result<void> remove_intent(segment_set& segments) {
    if (auto removed = segments.files().remove(intent_name(segments)); !removed)
        return removed;
    return segments.files().sync_directory(segments.directory());
}

// Whole blocks are written; what stands in the first one before `first` is written again as it is.
result<void> zero(segment& where, log_position first, log_position last) {
    struct aligned_delete {
        void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{block_size}); }
    };
    const std::unique_ptr<std::byte[], aligned_delete> buffer{
        static_cast<std::byte*>(::operator new[](chunk_bytes, std::align_val_t{block_size}))};
    std::memset(buffer.get(), 0, chunk_bytes);
    const log_position begin{align_down(first.value(), block_size)};
    const log_position end{align_up(last.value(), block_size)};
    const std::span<std::byte> kept{buffer.get(), first - begin};
    auto count = where.read(begin, kept);
    if (!count)
        return count.failure();
    if (*count != kept.size())
        return error{errc::corrupted,
                     where.name().string() + ": ends before log position " + std::to_string(first.value())};
    for (auto at = begin; at < end; at += chunk_bytes) {
        if (at > begin) // only the first chunk has something to keep
            std::memset(kept.data(), 0, kept.size());
        if (auto written = where.write(at, {buffer.get(), std::min(chunk_bytes, end - at)}); !written)
            return written;
    }
    return where.sync();
}

result<void> carry_out(segment_set& segments, truncation range) {
    for (const auto& one : segments.list()) {
        const auto first = std::max(range.at, one->first());
        const auto last = std::min(range.end, one->last());
        if (first < last)
            if (auto done = zero(*one, first, last); !done)
                return done;
    }
    return remove_intent(segments);
}

} // namespace

result<void> truncate_segments(segment_set& segments, truncation range) {
    if (auto written = write_intent(segments, range); !written)
        return written;
    return carry_out(segments, range);
}

result<void> finish_truncation(segment_set& segments, log_position applied) {
    auto range = read_intent(segments);
    if (!range)
        return range.failure();
    if (!range->has_value())
        return {};
    if ((*range)->at < applied)
        return damaged(intent_name(segments),
                       "it would cut the log at position " + std::to_string((*range)->at.value()) +
                           ", but everything below " + std::to_string(applied.value()) + " was applied");
    return carry_out(segments, **range);
}

} // namespace holdfast::storage
