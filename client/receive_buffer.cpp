#include "client/receive_buffer.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <cstring>

namespace holdfast::client {

// Large blocks come from mmap, whose pages must be zeroed by the kernel at every first touch; keeping a few
// saves a quarter of the cost of a fast drain.
class receive_buffer::block_pool {
  public:
    struct block {
        std::unique_ptr<std::byte[]> bytes;
        std::size_t capacity = 0;
    };

    static std::shared_ptr<std::byte[]> share(const std::shared_ptr<block_pool>& pool, block taken) {
        std::byte* const bytes = taken.bytes.release();
        return {bytes, [home = std::weak_ptr{pool}, capacity = taken.capacity](std::byte* returned) {
                    block back{std::unique_ptr<std::byte[]>{returned}, capacity};
                    if (const auto alive = home.lock())
                        alive->give(std::move(back));
                }};
    }

    block take(std::size_t at_least) {
        const std::lock_guard lock{mutex_};
        for (block& each : free_) {
            if (each.capacity >= at_least && each.capacity <= 2 * at_least) {
                std::swap(each, free_.back());
                block found = std::move(free_.back());
                free_.pop_back();
                return found;
            }
        }
        return {std::unique_ptr<std::byte[]>{new std::byte[at_least]}, at_least};
    }

  private:
    void give(block back) {
        const std::lock_guard lock{mutex_};
        if (free_.size() == most_free)
            free_.erase(free_.begin());
        free_.push_back(std::move(back));
    }

    static constexpr std::size_t most_free = 16;
    std::mutex mutex_;
    std::vector<block> free_;
};

receive_buffer::receive_buffer() : pool_(std::make_shared<block_pool>()) {
    take_block(block_bytes);
}

void receive_buffer::take_block(std::size_t at_least) {
    const byte_view tail = unread();
    auto block = pool_->take(at_least);
    const std::size_t capacity = block.capacity;
    auto shared = block_pool::share(pool_, std::move(block));
    if (!tail.empty())
        std::memcpy(shared.get(), tail.data(), tail.size());
    block_ = std::move(shared);
    capacity_ = capacity;
    last_ = tail.size();
    first_ = 0;
    shared_ = false;
}

std::span<std::byte> receive_buffer::prepare(std::size_t frame_bytes) {
    const std::size_t have = last_ - first_;
    const bool large = frame_bytes > large_frame_bytes;
    const std::size_t wanted = large ? frame_bytes : std::max(have, frame_bytes) + large_frame_bytes;
    if (capacity_ - first_ < wanted) {
        if (!shared_ && capacity_ >= wanted && capacity_ <= 2 * block_bytes) {
            std::memmove(block_.get(), block_.get() + first_, have);
            first_ = 0;
            last_ = have;
        } else {
            const std::size_t likely = std::max({wanted, recent_frame_bytes_, block_bytes});
            take_block(align_up(likely, large_frame_bytes));
        }
    }
    const std::size_t room = large ? frame_bytes - have : capacity_ - last_;
    return {block_.get() + last_, room};
}

void receive_buffer::consume(std::size_t count) {
    HOLDFAST_CHECK(count <= last_ - first_);
    first_ += count;
    recent_frame_bytes_ = count;
    if (first_ == last_ && !shared_)
        first_ = last_ = 0;
}

void receive_buffer::reset() {
    first_ = last_;
    if (!shared_)
        first_ = last_ = 0;
}

shared_bytes receive_buffer::share(byte_view part) {
    if (part.size() < capacity_ / 4)
        return shared_bytes::copy_of(part);
    shared_ = true;
    return {std::shared_ptr<const void>{block_, block_.get()}, part};
}

} // namespace holdfast::client
