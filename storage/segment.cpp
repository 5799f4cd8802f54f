#include "storage/segment_set.hpp"

#include <algorithm>

namespace holdfast::storage {

segment::segment(file_system& files, log_position first, std::uint64_t size, std::unique_ptr<file> reading,
                 write_mode writes)
    : files_(files), first_(first), size_(size), reading_(std::move(reading)), writes_(writes) {}

result<std::size_t> segment::read(log_position position, std::span<std::byte> into) const {
    HOLDFAST_CHECK(position >= first_ && position <= last());
    const auto count = std::min<std::uint64_t>(into.size(), last() - position);
    return reading_->read(position - first_, into.first(count));
}

void segment::will_need(log_position first, log_position until) const {
    if (first < until && first >= first_ && until <= last())
        reading_->will_need(first - first_, until - first);
}

result<std::pair<log_position, log_position>> segment::next_extent(log_position position) const {
    auto found = reading_->next_extent(position - first_);
    if (!found)
        return found.failure();
    return std::pair{first_ + std::min(found->first, size_), first_ + std::min(found->last, size_)};
}

result<file*> segment::opened_for_writing(std::unique_ptr<file>& which) {
    if (!which) {
        auto opened = files_.open(name(), open_mode::read_write, writes_);
        if (!opened)
            return opened.failure();
        which = *std::move(opened);
    }
    return which.get();
}

result<void> segment::write(log_position position, byte_view blocks, unsigned lane) {
    const auto first = position - first_;
    const auto last = first + blocks.size();
    HOLDFAST_CHECK(position >= first_ && last <= size_);
    HOLDFAST_CHECK(first % block_size == 0 && last % block_size == 0);
    std::unique_lock guard{mutex_};
    claimed_ = std::max(claimed_, last);
    zeroing_ended_.wait(guard, [&] { return zeroing_first_ >= last || zeroing_last_ <= first; });
    auto target = opened_for_writing(writing_.at(lane));
    guard.unlock();
    if (!target)
        return target.failure();
    return (*target)->write(first, blocks);
}

result<void> segment::sync(unsigned lane) {
    if (writes_ == write_mode::direct)
        return {};
    std::unique_lock guard{mutex_};
    auto target = opened_for_writing(writing_.at(lane));
    guard.unlock();
    if (!target)
        return target.failure();
    return (*target)->sync_data();
}

result<std::uint64_t> segment::prewrite(std::uint64_t chunk, log_position until) {
    std::unique_lock guard{mutex_};
    const auto limit = until <= first_ ? 0 : std::min(size_, align_down(until - first_, block_size));
    const auto first = std::max(claimed_, prewritten_);
    if (first >= limit)
        return std::uint64_t{0};
    const auto last = std::min(first + chunk, limit);
    auto target = opened_for_writing(zeroing_);
    if (!target)
        return target.failure();
    zeroing_first_ = first;
    zeroing_last_ = last;
    guard.unlock();

    auto zeroed = write_zeros(**target, first, last);
    if (zeroed && writes_ == write_mode::buffered)
        zeroed = (*target)->sync_data();

    guard.lock();
    zeroing_first_ = zeroing_last_ = 0;
    if (zeroed)
        prewritten_ = last;
    guard.unlock();
    zeroing_ended_.notify_all();
    if (!zeroed)
        return zeroed.failure();
    return last - first;
}

log_position segment::prewritten_until() const {
    const std::lock_guard guard{mutex_};
    return first_ + std::max(claimed_, prewritten_);
}

void segment::set_prepared(log_position written, log_position zeroed) {
    const std::lock_guard guard{mutex_};
    claimed_ = std::min(size_, align_up(written - first_, block_size));
    prewritten_ = std::min(size_, align_down(zeroed - first_, block_size));
}

} // namespace holdfast::storage
