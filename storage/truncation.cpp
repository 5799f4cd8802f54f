#include "storage/truncation.hpp"

#include "storage/entry.hpp"
#include "storage/position_file.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

namespace holdfast::storage {

namespace {

constexpr std::uint32_t magic = 0x52544648; // "HFTR"
constexpr std::uint64_t chunk_bytes = 1U << 20U;

position_file intent_of(const segment_set& segments) {
    return {
        segments.directory() / "truncation", magic,
        "It says where the end of the log was being cut off when this node stopped. Start this node as a new "
        "member with an empty store."};
}

result<void> remove_intent(segment_set& segments) {
    if (auto removed = segments.files().remove(intent_of(segments).name); !removed)
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
    const position_pair what{range.at.value(), range.end.value()};
    if (auto written = write_positions(segments.files(), intent_of(segments), what); !written)
        return written;
    return carry_out(segments, range);
}

result<void> drop_truncation(segment_set& segments) {
    auto removed = segments.files().remove(intent_of(segments).name);
    if (!removed && removed.failure().code == errc::not_found)
        return {};
    return removed;
}

result<void> finish_truncation(segment_set& segments, log_position applied) {
    const auto intent = intent_of(segments);
    const auto found = read_positions(segments.files(), intent);
    if (!found)
        return found.failure();
    if (!found->has_value())
        return {};
    const truncation range{log_position{(*found)->first}, log_position{(*found)->second}};
    if (range.at.value() % entry_alignment != 0 || range.at > range.end ||
        range.end.value() > max_log_position)
        return damaged(intent, "the range makes no sense");
    if (range.at < applied)
        return damaged(intent, "it would cut the log at position " + std::to_string(range.at.value()) +
                                   ", but everything below " + std::to_string(applied.value()) +
                                   " was applied");
    return carry_out(segments, range);
}

} // namespace holdfast::storage
