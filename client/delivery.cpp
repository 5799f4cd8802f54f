#include "client/delivery.hpp"

#include "client/compression.hpp"

#include <new>

namespace holdfast::client {

delivery::delivery(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries)
    : batch_(std::move(batch)), index_(index), retries_(retries) {
    // Asked of the batch: to take every record apart once more would be most of what a delivery costs.
    if (!batch_->is_compressed(index_))
        return;
    try {
        if (auto text = inflate_text(message().stored_body()))
            inflated_ = std::make_unique<std::string>(std::move(*text));
    } catch (const std::bad_alloc&) {
        // As if it could not be inflated; the handle must come to be, or its message would hang.
        inflated_ = nullptr;
    }
}

} // namespace holdfast::client
