#include "storage/log_scanner.hpp"

#include <algorithm>

namespace holdfast::storage {

namespace {

constexpr std::size_t window_bytes = 1U << 20U;

} // namespace

log_scanner::log_scanner(const segment_set& segments, log_position first, log_position last,
                         entry_cache* cache)
    : segments_(segments), cache_(cache), last_(last), position_(first) {}

error log_scanner::damaged(const std::string& reason, errc code) {
    reason_ = reason;
    return {code, segment_->name().string() + ": at log position " + std::to_string(position_.value()) +
                      " (byte " + std::to_string(position_ - segment_->first()) + " of the file): " + reason};
}

// Makes buffer_ begin at position_ with at least `wanted` bytes; false when the segment ends before.
result<bool> log_scanner::fill(std::size_t wanted) {
    if (segment_->last() - position_ < wanted)
        return false;
    if (position_ >= buffer_first_ && position_ - buffer_first_ + wanted <= buffer_size_)
        return true;
    const auto rest = static_cast<std::size_t>(segment_->last() - position_);
    buffer_.resize(std::max({buffer_.size(), wanted, std::min(window_bytes, rest)}));
    buffer_size_ = 0;
    auto count = segment_->read(position_, buffer_);
    if (!count)
        return count.failure();
    buffer_first_ = position_;
    buffer_size_ = *count;
    return buffer_size_ >= wanted;
}

// What is in the cache was sealed or checked by whoever put it there: its body needs no second look.
bool log_scanner::take_cached(scanned_entry& found) {
    auto hot = cache_ == nullptr ? std::nullopt : cache_->find(position_);
    if (!hot)
        return false;
    const auto header = decode_entry_header(hot->view());
    if (!header || header->position != position_)
        return false;
    cached_ = *std::move(hot);
    found = {*header, cached_.view()};
    return true;
}

result<void> log_scanner::check_chain(const entry_header& header) {
    if (previous_ ? header.previous_checksum != previous_->checksum
                  : position_.value() == 0 && header.previous_checksum != 0)
        return damaged("the entry does not follow the one before it (previous_checksum)");
    if (previous_ && header.term < previous_->term)
        return damaged("the entry's term " + std::to_string(header.term.value()) +
                       " is older than the one before it");
    return {};
}

result<std::optional<scanned_entry>> log_scanner::next() {
    if (position_ >= last_)
        return std::optional<scanned_entry>{};
    if (!segment_ || !segment_->contains(position_)) {
        segment_ = segments_.find(position_);
        if (!segment_)
            return std::optional<scanned_entry>{};
        buffer_size_ = 0;
    }
    if (scanned_entry hot; take_cached(hot)) {
        if (auto chained = check_chain(hot.header); !chained)
            return chained.failure();
        previous_ = hot.header;
        position_ = hot.header.is_filler() ? segment_->last() : hot.header.next();
        return std::optional{hot};
    }
    auto filled = fill(entry_header_size);
    if (!filled)
        return filled.failure();
    if (!*filled)
        return damaged("the file ends within an entry's header");
    const auto* at = buffer_.data() + (position_ - buffer_first_);
    const auto announced = decode_entry_header({at, entry_header_size});
    if (!announced && announced.failure().code == errc::not_supported)
        return damaged(announced.failure().message, errc::not_supported);
    if (!announced)
        return damaged(announced.failure().message);
    if (announced->position != position_)
        return damaged("an entry of another position, " + std::to_string(announced->position.value()));
    filled = fill(announced->length);
    if (!filled)
        return filled.failure();
    if (!*filled)
        return damaged("the entry's length " + std::to_string(announced->length) +
                       " reaches over the end of the segment");
    const byte_view bytes{buffer_.data() + (position_ - buffer_first_), announced->length};
    const auto header = decode_entry(bytes);
    if (!header)
        return damaged(header.failure().message);
    if (auto chained = check_chain(*header); !chained)
        return chained.failure();
    previous_ = *header;
    position_ = header->is_filler() ? segment_->last() : header->next();
    return std::optional{scanned_entry{*header, bytes}};
}

result<void> for_each_entry(const segment_set& segments, log_position first, log_position last,
                            const std::function<result<void>(const scanned_entry&)>& visit,
                            entry_cache* cache) {
    log_scanner scanner{segments, first, last, cache};
    for (;;) {
        auto found = scanner.next();
        if (!found)
            return found.failure();
        if (!found->has_value())
            break;
        if (!(*found)->header.is_filler())
            if (auto visited = visit(**found); !visited)
                return visited;
    }
    if (scanner.position() < last)
        return error{errc::not_found, "the log ends at position " +
                                          std::to_string(scanner.position().value()) + ", before " +
                                          std::to_string(last.value())};
    return {};
}

} // namespace holdfast::storage
