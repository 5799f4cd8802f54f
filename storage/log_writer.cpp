#include "storage/log_writer.hpp"

#include "storage/entry.hpp"

#include <algorithm>
#include <new>

namespace holdfast::storage {

namespace {

constexpr std::size_t buffer_capacity = 4U << 20U;

struct aligned_delete {
    void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{block_size}); }
};

} // namespace

// Bytes of one segment from a block's start on, gathered to be written as whole blocks.
class log_writer::block_buffer {
  public:
    // Begins anew in `target` at `position`, the first bytes of whose block are `partial`.
    void start(std::shared_ptr<segment> target, log_position position, byte_view partial) {
        target_ = std::move(target);
        first_ = log_position{align_down(position.value(), block_size)};
        HOLDFAST_CHECK(partial.size() == position - first_);
        if (!partial.empty())
            std::memcpy(bytes_.get(), partial.data(), partial.size());
        size_ = partial.size();
    }

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

    // Writes all, and keeps the last block when it is partial: it is written again with what follows.
    result<void> drain() {
        if (size_ == 0)
            return {};
        const auto whole = align_up(size_, block_size);
        std::memset(bytes_.get() + size_, 0, whole - size_);
        if (auto written = target_->write(first_, {bytes_.get(), whole}); !written)
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
    std::shared_ptr<segment> target_;
    log_position first_;
    std::size_t size_ = 0;
};

log_writer::log_writer(segment_set& segments) : segments_(segments), buffer_(new block_buffer) {}

log_writer::~log_writer() = default;

result<std::unique_ptr<log_writer>> log_writer::open(segment_set& segments, log_position end) {
    HOLDFAST_CHECK(end.value() % entry_alignment == 0);
    std::unique_ptr<log_writer> self{new log_writer{segments}};
    if (auto current = segments.find(end)) {
        const log_position block{align_down(end.value(), block_size)};
        std::vector<std::byte> partial(end - block);
        auto count = current->read(block, partial);
        if (!count)
            return count.failure();
        if (*count != partial.size())
            return error{errc::corrupted, current->name().string() + ": ends before log position " +
                                              std::to_string(end.value())};
        self->buffer_->start(std::move(current), end, partial);
    }
    segments.set_written(end);
    segments.set_flushed(end);
    return self;
}

result<void> log_writer::fence(error reason) {
    failure_ = std::move(reason);
    return *failure_;
}

result<void> log_writer::check_order(std::span<const shared_bytes> entries, log_position first) const {
    auto expected = written_until();
    const auto wrong = [](log_position at, const std::string& what) {
        return error{errc::invalid_argument,
                     "append to the log at position " + std::to_string(at.value()) + ": " + what};
    };
    if (first != expected)
        return wrong(first, "the log ends at " + std::to_string(expected.value()));
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
    return {};
}

result<void> log_writer::write(std::span<const shared_bytes> entries, log_position first) {
    if (failure_)
        return *failure_;
    if (auto checked = check_order(entries, first); !checked)
        return checked;
    auto position = first;
    for (const auto& entry : entries) {
        if (buffer_->target() == nullptr || position >= buffer_->target()->last())
            if (auto entered = enter_segment(position); !entered)
                return fence(entered.failure());
        auto appended = buffer_->append(entry.view());
        if (appended)
            appended = buffer_->pad_to_entry();
        if (!appended)
            return fence(appended.failure());
        const auto header = decode_entry_header(entry.view());
        position = header->is_filler() ? buffer_->target()->last() : header->next();
    }
    if (buffer_->target() != nullptr)
        if (auto drained = buffer_->drain(); !drained)
            return fence(drained.failure());
    segments_.set_written(position);
    return {};
}

// The log goes on at a segment's start; what is gathered for the one before is written first.
result<void> log_writer::enter_segment(log_position first) {
    if (buffer_->target() != nullptr)
        if (auto drained = buffer_->drain(); !drained)
            return drained;
    if (buffer_->target() != nullptr)
        unsynced_.push_back(buffer_->target());
    auto following = segments_.find_or_create(first);
    if (!following)
        return following.failure();
    buffer_->start(*std::move(following), first, {});
    return {};
}

result<void> log_writer::flush() {
    if (failure_)
        return *failure_;
    for (const auto& one : unsynced_)
        if (auto synced = one->sync(); !synced)
            return fence(synced.failure());
    unsynced_.clear();
    if (buffer_->target() != nullptr && flushed_until() < written_until())
        if (auto synced = buffer_->target()->sync(); !synced)
            return fence(synced.failure());
    segments_.set_flushed(segments_.written());
    return {};
}

} // namespace holdfast::storage
