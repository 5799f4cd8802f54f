#include "network/outgoing_queue.hpp"

#include <algorithm>
#include <iterator>

namespace holdfast::network {

namespace {

// After a burst, joined_ is not kept larger than this.
constexpr std::size_t joined_keep_bytes = 256U << 10U;

bool is_small(const shared_bytes& piece) {
    return piece.size() <= outgoing_queue::joined_max_bytes;
}

} // namespace

void outgoing_queue::add(std::vector<shared_bytes>&& pieces) {
    if (waiting_.empty())
        waiting_ = std::move(pieces);
    else
        waiting_.insert(waiting_.end(), std::move_iterator{pieces.begin()}, std::move_iterator{pieces.end()});
}

std::span<const byte_view> outgoing_queue::next() {
    if (next_view_ == views_.size())
        begin_round();
    const auto left = std::span<const byte_view>{views_}.subspan(next_view_);
    return left.first(std::min(left.size(), views_max));
}

void outgoing_queue::begin_round() {
    round_ = std::move(waiting_);
    waiting_.clear();
    views_.clear();
    next_view_ = 0;
    if (joined_.capacity() > joined_keep_bytes)
        joined_ = {};
    joined_.clear();
    if (round_.size() == 1) {
        if (!round_.front().empty())
            views_.push_back(round_.front().view());
        return;
    }
    // Reserved at once, since views into it must survive its growth.
    std::size_t small_bytes = 0;
    for (const auto& piece : round_)
        small_bytes += is_small(piece) ? piece.size() : 0;
    joined_.reserve(small_bytes);
    bool last_was_joined = false;
    for (const auto& piece : round_) {
        if (piece.empty())
            continue;
        if (!is_small(piece)) {
            views_.push_back(piece.view());
            last_was_joined = false;
            continue;
        }
        const auto* const at = joined_.data() + joined_.size();
        joined_.append(piece.view());
        if (last_was_joined)
            views_.back() = {views_.back().data(), views_.back().size() + piece.size()};
        else
            views_.emplace_back(at, piece.size());
        last_was_joined = true;
    }
}

void outgoing_queue::written(std::size_t bytes) {
    while (bytes != 0) {
        HOLDFAST_CHECK(next_view_ < views_.size());
        auto& view = views_[next_view_];
        const auto part = std::min(bytes, view.size());
        view = view.subspan(part);
        bytes -= part;
        if (view.empty())
            ++next_view_;
    }
    if (next_view_ == views_.size())
        round_.clear();
}

} // namespace holdfast::network
