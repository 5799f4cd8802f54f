#include "client/process_queue.hpp"

#include "base/check.hpp"

#include <bit>
#include <utility>

namespace holdfast::client {

namespace {

std::size_t words_for(std::size_t bits) {
    return (bits + 63) / 64;
}

} // namespace

pulled_batch::pulled_batch(std::shared_ptr<process_queue> owner, std::uint64_t sequence, shared_bytes bytes,
                           std::vector<pulled_record> records, queue_offset next)
    : owner_(std::move(owner)),
      sequence_(sequence),
      bytes_(std::move(bytes)),
      records_(std::move(records)),
      next_(next),
      acknowledged_(new std::atomic<std::uint64_t>[words_for(records_.size())]()),
      state_(records_.size()) {}

void pulled_batch::ack(std::uint32_t index) {
    const std::uint64_t bit = std::uint64_t{1} << (index % 64);
    const std::uint64_t word = acknowledged_[index / 64].fetch_or(bit, std::memory_order_release);
    HOLDFAST_CHECK((word & bit) == 0);
    const std::uint64_t before =
        state_.fetch_sub(one_unacknowledged + one_in_hand, std::memory_order_seq_cst);
    if (static_cast<std::uint32_t>(before) == 1)
        owner_->completed(*this);
    if (owner_->in_order())
        owner_->end_turn();
    handle_gone(before);
}

void pulled_batch::retry(std::uint32_t index, std::uint32_t retries, std::int32_t level) {
    if (!owner_->dropped())
        return owner_->sink().returned(shared_from_this(), index, retries, level);
    if (owner_->in_order())
        owner_->end_turn();
    give_back();
}

void pulled_batch::give_back() {
    handle_gone(state_.fetch_sub(one_in_hand, std::memory_order_seq_cst));
}

void pulled_batch::handle_gone(std::uint64_t state_before) const {
    if (state_before / one_in_hand == 1 && owner_->closing())
        owner_->sink().hand_emptied();
}

std::uint32_t pulled_batch::first_unacknowledged() const {
    for (std::size_t word = 0; word < words_for(records_.size()); ++word) {
        const std::uint64_t bits = acknowledged_[word].load(std::memory_order_acquire);
        const std::size_t index = word * 64 + static_cast<std::size_t>(std::countr_one(bits));
        if (bits != ~std::uint64_t{0} && index < records_.size())
            return static_cast<std::uint32_t>(index);
    }
    return size();
}

queue_offset pulled_batch::lowest_unacknowledged() const {
    const std::uint32_t index = first_unacknowledged();
    return index < size() ? records_[index].offset : next_;
}

std::uint32_t pulled_batch::in_hand() const {
    return static_cast<std::uint32_t>(state_.load(std::memory_order_seq_cst) / one_in_hand);
}

process_queue::process_queue(message_queue id, queue_offset first, std::shared_ptr<delivery_sink> sink,
                             delivery_order order)
    : id_(std::move(id)), sink_(std::move(sink)), order_(order), pulled_to_(first) {}

std::shared_ptr<pulled_batch> process_queue::add(shared_bytes bytes, std::vector<pulled_record> records,
                                                 queue_offset next) {
    const std::lock_guard lock{mutex_};
    if (dropped())
        return nullptr;
    pulled_to_ = next;
    if (records.empty())
        return nullptr;
    cached_messages_.fetch_add(records.size(), std::memory_order_relaxed);
    cached_bytes_.fetch_add(bytes.size(), std::memory_order_relaxed);
    sink_->cached_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    auto batch = std::make_shared<pulled_batch>(shared_from_this(), first_sequence_ + entries_.size(),
                                                std::move(bytes), std::move(records), next);
    entries_.push_back({batch, next});
    return batch;
}

void process_queue::skip_to(queue_offset next) {
    const std::lock_guard lock{mutex_};
    HOLDFAST_CHECK(next >= pulled_to_);
    pulled_to_ = next;
}

queue_offset process_queue::pulled_to() const {
    const std::lock_guard lock{mutex_};
    return pulled_to_;
}

queue_offset process_queue::committable() const {
    const std::lock_guard lock{mutex_};
    return entries_.empty() ? pulled_to_ : entries_.front().batch->lowest_unacknowledged();
}

std::optional<process_queue::place> process_queue::front() const {
    const std::lock_guard lock{mutex_};
    if (entries_.empty())
        return std::nullopt;
    const auto& batch = entries_.front().batch;
    const std::uint32_t index = batch->first_unacknowledged();
    if (index == batch->size())
        return std::nullopt; // its last acknowledgement is on its way to completed()
    return place{batch, index};
}

void process_queue::end_turn() {
    turn_.end();
    sink_->turn_ended(*this);
}

void process_queue::completed(const pulled_batch& batch) {
    {
        // The entry's share in the batch ends outside of the lock, should it be the last one.
        std::shared_ptr<pulled_batch> done;
        const std::lock_guard lock{mutex_};
        if (dropped())
            return;
        cached_messages_.fetch_sub(batch.records_.size());
        cached_bytes_.fetch_sub(batch.bytes_.size());
        sink_->cached_bytes.fetch_sub(batch.bytes_.size());
        done = std::move(entries_[batch.sequence_ - first_sequence_].batch);
        while (!entries_.empty() && entries_.front().batch == nullptr) {
            entries_.pop_front();
            ++first_sequence_;
        }
    }
    sink_->batch_completed(*this);
}

std::optional<queue_offset> process_queue::drop() {
    // Batches hold a share in this queue: they let go of it after the lock.
    std::deque<entry> released;
    const std::lock_guard lock{mutex_};
    if (dropped())
        return std::nullopt;
    const queue_offset last = entries_.empty() ? pulled_to_ : entries_.front().batch->lowest_unacknowledged();
    dropped_.store(true, std::memory_order_release);
    cached_messages_.store(0, std::memory_order_relaxed);
    sink_->cached_bytes.fetch_sub(cached_bytes_.exchange(0, std::memory_order_relaxed),
                                  std::memory_order_relaxed);
    released.swap(entries_);
    return last;
}

std::size_t process_queue::in_hand() const {
    const std::lock_guard lock{mutex_};
    std::size_t sum = 0;
    for (const entry& each : entries_)
        if (each.batch != nullptr)
            sum += each.batch->in_hand();
    return sum;
}

} // namespace holdfast::client
