#include "storage/log_writer.hpp"

#include "storage/entry.hpp"
#include "storage/truncation.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace holdfast::storage {

namespace {

constexpr std::size_t buffer_capacity = 4U << 20U;

struct aligned_delete {
    void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{block_size}); }
};

// What stands before `position` in its block.
result<std::vector<std::byte>> read_partial_block(const segment_set& segments, log_position position) {
    const log_position block{align_down(position.value(), block_size)};
    std::vector<std::byte> bytes(position - block);
    const auto around = segments.find(position);
    if (!around || bytes.empty())
        return bytes;
    auto count = around->read(block, bytes);
    if (!count)
        return count.failure();
    if (*count != bytes.size())
        return error{errc::corrupted, around->name().string() + ": ends before log position " +
                                          std::to_string(position.value())};
    return bytes;
}

} // namespace

// Bytes of one segment from a block's start on, gathered to be written as whole blocks.
class log_writer::block_buffer {
  public:
    explicit block_buffer(unsigned lane) : lane_(lane) {}

    // Begins anew at `position`, the first bytes of whose block are `partial`, in a segment still to be
    // entered.
    void start(log_position position, byte_view partial) {
        target_ = nullptr;
        first_ = log_position{align_down(position.value(), block_size)};
        HOLDFAST_CHECK(partial.size() == position - first_);
        if (!partial.empty())
            std::memcpy(bytes_.get(), partial.data(), partial.size());
        size_ = partial.size();
    }

    void enter(std::shared_ptr<segment> target) { target_ = std::move(target); }
    [[nodiscard]] const std::shared_ptr<segment>& target() const { return target_; }
    [[nodiscard]] log_position end() const { return first_ + size_; }

    result<void> append(byte_view bytes) {
        while (!bytes.empty()) {
            const auto count = std::min(bytes.size(), buffer_capacity - size_);
            std::memcpy(bytes_.get() + size_, bytes.data(), count);
            size_ += count;
            bytes = bytes.subspan(count);
            if (size_ == buffer_capacity)
                if (auto written = drain(); !written)
                    return written;
        }
        return {};
    }

    result<void> pad_to_entry() {
        constexpr std::byte padding[entry_alignment]{};
        return append({padding, align_up(end().value(), entry_alignment) - end().value()});
    }

    // After drain(): what the last block holds when it is partial.
    [[nodiscard]] byte_view rest() const { return {bytes_.get(), size_}; }

    // Writes all, and keeps the last block when it is partial: it is written again with what follows.
    result<void> drain() {
        if (size_ == 0)
            return {};
        const auto whole = align_up(size_, block_size);
        std::memset(bytes_.get() + size_, 0, whole - size_);
        if (auto written = target_->write(first_, {bytes_.get(), whole}, lane_); !written)
            return written;
        const auto full = align_down(size_, block_size);
        std::memmove(bytes_.get(), bytes_.get() + full, size_ - full);
        first_ += full;
        size_ -= full;
        return {};
    }

  private:
    std::unique_ptr<std::byte[], aligned_delete> bytes_{
        static_cast<std::byte*>(::operator new[](buffer_capacity, std::align_val_t{block_size}))};
    const unsigned lane_;
    std::shared_ptr<segment> target_;
    log_position first_;
    std::size_t size_ = 0;
};

void log_writer::progress::add(range done) {
    ahead.push_back(done);
    for (auto next = ahead.begin(); next != ahead.end();) {
        if (next->first != end) {
            ++next;
            continue;
        }
        end = next->last;
        ahead.erase(next);
        next = ahead.begin();
    }
}

log_writer::log_writer(segment_set& segments) : segments_(segments) {
    for (unsigned number = 0; number < lanes; ++number)
        lanes_[number].buffer = std::make_unique<block_buffer>(number);
}

log_writer::~log_writer() = default;

result<std::unique_ptr<log_writer>> log_writer::open(segment_set& segments, log_position end) {
    HOLDFAST_CHECK(end.value() % entry_alignment == 0);
    std::unique_ptr<log_writer> self{new log_writer{segments}};
    auto tail = read_partial_block(segments, end);
    if (!tail)
        return tail.failure();
    self->tails_[end] = *std::move(tail);
    self->written_.end = self->flushed_.end = end;
    segments.set_written(end);
    segments.set_flushed(end);
    return self;
}

std::optional<error> log_writer::failure() const {
    const std::lock_guard guard{mutex_};
    return failure_;
}

// Of two that fail at once the first is remembered.
result<void> log_writer::fence(const error& reason) {
    const std::lock_guard guard{mutex_};
    if (!failure_)
        failure_ = reason;
    return *failure_;
}

// Nobody has written there or is about to.
bool log_writer::is_free(range wanted) const {
    const auto apart = [&](const range& other) {
        return other.last <= wanted.first || wanted.last <= other.first;
    };
    return wanted.first >= written_.end && std::all_of(written_.ahead.begin(), written_.ahead.end(), apart) &&
           std::all_of(lanes_.begin(), lanes_.end(),
                       [&](const lane_state& lane) { return apart(lane.under_way); });
}

// The end of the log behind `entries`.
result<log_position> log_writer::check_order(std::span<const shared_bytes> entries,
                                             log_position first) const {
    auto expected = first;
    const auto wrong = [](log_position at, const std::string& what) {
        return error{errc::invalid_argument,
                     "append to the log at position " + std::to_string(at.value()) + ": " + what};
    };
    if (first.value() % block_size != 0 && (first != written_.end || !tails_.contains(first)))
        return wrong(first, "the log ends at " + std::to_string(written_.end.value()));
    log_position room_end; // of the segment that `expected` lies in
    for (const auto& entry : entries) {
        const auto header = decode_entry_header(entry.view());
        if (!header)
            return wrong(expected, header.failure().message);
        if (header->position != expected || header->length != entry.size())
            return wrong(expected, "the entry given says position " +
                                       std::to_string(header->position.value()) + " and length " +
                                       std::to_string(header->length) + " of " +
                                       std::to_string(entry.size()) + " bytes");
        if (expected >= room_end) {
            const auto around = segments_.find(expected);
            room_end = around ? around->last() : expected + segments_.options().segment_size;
        }
        if (header->end() > room_end)
            return wrong(expected, "the entry would cross the segment's end at " +
                                       std::to_string(room_end.value()) + "; a filler must come first");
        expected = header->is_filler() ? room_end : header->next();
    }
    if (!is_free({first, expected}))
        return wrong(first,
                     "another write is there, the log ends at " + std::to_string(written_.end.value()));
    return expected;
}

result<void> log_writer::write(std::span<const shared_bytes> entries, log_position first, unsigned number) {
    auto& lane = lanes_.at(number);
    std::unique_lock guard{mutex_};
    if (failure_)
        return *failure_;
    const auto end = check_order(entries, first);
    if (!end)
        return end.failure();
    if (*end == first)
        return {};
    HOLDFAST_CHECK(lane.under_way.first == lane.under_way.last);
    lane.under_way = {first, *end};
    std::vector<std::byte> partial;
    if (first.value() % block_size != 0)
        partial = std::move(tails_.extract(first).mapped());
    lane.buffer->start(first, partial);
    guard.unlock();

    auto done = carry_out(entries, first, lane);
    if (!done)
        return fence(done.failure());

    guard.lock();
    lane.under_way = {};
    if (failure_) // of the other lane
        return *failure_;
    if (end->value() % block_size != 0)
        tails_[*end] = {lane.buffer->rest().begin(), lane.buffer->rest().end()};
    lane.unflushed.push_back({first, *end});
    written_.add({first, *end});
    segments_.set_written(written_.end);
    return {};
}

result<void> log_writer::carry_out(std::span<const shared_bytes> entries, log_position first,
                                   lane_state& lane) {
    auto& buffer = *lane.buffer;
    auto position = first;
    for (const auto& entry : entries) {
        if (buffer.target() == nullptr || position >= buffer.target()->last()) {
            if (auto entered = enter_segment(position, lane); !entered)
                return entered;
        }
        if (auto appended = buffer.append(entry.view()); !appended)
            return appended;
        if (auto padded = buffer.pad_to_entry(); !padded)
            return padded;
        const auto header = decode_entry_header(entry.view());
        position = header->is_filler() ? buffer.target()->last() : header->next();
    }
    return buffer.drain();
}

// What is gathered for the segment before is written first. The segment itself may still have to be made, and
// the prewriter may be doing that just now.
result<void> log_writer::enter_segment(log_position position, lane_state& lane) {
    if (lane.buffer->target() != nullptr) {
        if (auto drained = lane.buffer->drain(); !drained)
            return drained;
        lane.buffer->start(position, {});
    }
    auto target = segments_.find(position);
    if (!target) {
        if (auto made = segments_.find_or_create(segments_.allocated_until()); !made)
            return made.failure();
        target = segments_.find(position);
        HOLDFAST_CHECK(target);
    }
    if (lane.unsynced.empty() || lane.unsynced.back() != target)
        lane.unsynced.push_back(target);
    lane.buffer->enter(std::move(target));
    return {};
}

result<void> log_writer::flush(unsigned number) {
    auto& lane = lanes_.at(number);
    std::unique_lock guard{mutex_};
    if (failure_)
        return *failure_;
    const auto ranges = std::exchange(lane.unflushed, {});
    guard.unlock();
    for (const auto& one : std::exchange(lane.unsynced, {}))
        if (auto synced = one->sync(number); !synced)
            return fence(synced.failure());
    guard.lock();
    if (failure_) // of the other lane
        return *failure_;
    for (const auto& done : ranges)
        flushed_.add(done);
    segments_.set_flushed(flushed_.end);
    return {};
}

// Readers are turned away first, then the bytes go.
result<void> log_writer::truncate(log_position at) {
    std::unique_lock guard{mutex_};
    if (failure_)
        return *failure_;
    for (const auto& lane : lanes_)
        HOLDFAST_CHECK(lane.under_way.first == lane.under_way.last);
    HOLDFAST_CHECK(at.value() % entry_alignment == 0 && at <= written_.end && at >= segments_.first());
    auto end = written_.end;
    for (const auto& done : written_.ahead)
        end = std::max(end, done.last);
    lanes_[0].under_way = {at, end};
    for (auto& lane : lanes_)
        lane.unflushed.clear();
    written_ = {at, {}};
    flushed_ = {std::min(at, flushed_.end), {}};
    tails_.clear();
    segments_.cut_written(at);
    guard.unlock();

    if (auto done = carry_out_cut(at, end); !done)
        return fence(done.failure());
    auto tail = read_partial_block(segments_, at);
    if (!tail)
        return fence(tail.failure());

    guard.lock();
    lanes_[0].under_way = {};
    if (at.value() % block_size != 0)
        tails_[at] = *std::move(tail);
    flushed_.end = at;
    segments_.set_flushed(at);
    return {};
}

result<void> log_writer::carry_out_cut(log_position at, log_position end) {
    for (unsigned number = 0; number < lanes; ++number)
        for (const auto& one : std::exchange(lanes_[number].unsynced, {}))
            if (auto synced = one->sync(number); !synced)
                return synced;
    return at == end ? result<void>{} : truncate_segments(segments_, {at, end});
}

} // namespace holdfast::storage
