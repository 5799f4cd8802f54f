#include "client/delivery.hpp"

#include "client/compression.hpp"

#include <new>

namespace holdfast::client {

delivery::delivery(std::shared_ptr<pulled_batch> batch, std::uint32_t index, std::uint32_t retries)
    : batch_(std::move(batch)), index_(index), retries_(retries) {
    const auto received = message();
    if (!received.compressed())
        return;
    try {
        if (auto text = inflate_text(received.stored_body()))
            inflated_ = std::make_unique<std::string>(std::move(*text));
    } catch (const std::bad_alloc&) {
        // As if it could not be inflated; the handle must come to be, or its message would hang.
        inflated_ = nullptr;
    }
}

} // namespace holdfast::client
