#include "storage/log_search.hpp"

#include <algorithm>

namespace holdfast::storage {

namespace {

constexpr std::uint64_t piece_bytes = 1U << 20U;

bool is_zero(byte_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

// The entry at `position`, if a whole one stands there.
result<std::optional<entry_header>> entry_at(const segment& where, log_position position,
                                             byte_view announced) {
    const std::optional<entry_header> none;
    const auto header = decode_entry_header(announced);
    if (!header || header->position != position || header->end() > where.last())
        return none;
    std::vector<std::byte> whole(header->length);
    const auto count = where.read(position, whole);
    if (!count)
        return count.failure();
    const auto verified = decode_entry({whole.data(), *count});
    return verified ? std::optional{*verified} : none;
}

class entry_search {
  public:
    explicit entry_search(const std::function<bool(const entry_header&)>& wanted) : wanted_(wanted) {}

    result<void> look_through(const segment& where, log_position first, log_position last) {
        buffer_.resize(std::min(piece_bytes, align_up(last - first, entry_alignment)));
        for (auto at = first; at < last && !outcome.found; at += buffer_.size()) {
            const auto size = std::min<std::uint64_t>(buffer_.size(), last - at);
            const auto count = where.read(at, std::span{buffer_}.first(size));
            if (!count)
                return count.failure();
            if (auto looked = look_at(where, at, {buffer_.data(), *count}); !looked)
                return looked;
            if (*count < size)
                break;
        }
        return {};
    }

    search_outcome outcome;

  private:
    result<void> look_at(const segment& where, log_position first, byte_view piece) {
        for (std::size_t offset = 0; offset < piece.size() && !outcome.found; offset += entry_alignment) {
            const auto bytes =
                piece.subspan(offset, std::min<std::size_t>(entry_alignment, piece.size() - offset));
            if (is_zero(bytes))
                continue;
            outcome.anything = true;
            if (bytes.size() < entry_header_size || load_little<std::uint32_t>(bytes.data()) != entry_magic)
                continue;
            const auto entry = entry_at(where, first + offset, bytes);
            if (!entry)
                return entry.failure();
            if (*entry && wanted_(**entry))
                outcome.found = *entry;
        }
        return {};
    }

    const std::function<bool(const entry_header&)>& wanted_;
    std::vector<std::byte> buffer_;
};

} // namespace

result<search_outcome> find_entry(const segment_set& segments, log_position from,
                                  const std::function<bool(const entry_header&)>& wanted) {
    struct extent {
        std::shared_ptr<segment> where;
        log_position first;
        log_position last;
    };
    // All of them before the first read: what a read brings into the page cache counts as written from then
    // on.
    std::vector<extent> written;
    for (const auto& one : segments.list()) {
        auto at = std::max(one->first(), log_position{align_up(from.value(), entry_alignment)});
        while (at < one->last()) {
            const auto next = one->next_extent(at);
            if (!next)
                return next.failure();
            if (next->first >= next->second)
                break;
            const log_position aligned{align_down(next->first.value(), entry_alignment)};
            written.push_back({one, std::max(at, aligned), next->second});
            at = log_position{align_up(next->second.value(), entry_alignment)};
        }
    }
    entry_search search{wanted};
    for (const auto& [where, first, last] : written) {
        if (auto looked = search.look_through(*where, first, last); !looked)
            return looked.failure();
        if (search.outcome.found)
            break;
    }
    return search.outcome;
}

} // namespace holdfast::storage
