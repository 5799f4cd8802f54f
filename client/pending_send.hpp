// One send on its way: what goes over the wire, where it was tried, and who waits for the result.
//
// Lives from the call to the last word, over all tries; the message id in its properties stays the same.
#pragma once

#include "client/in_flight.hpp"
#include "client/routes.hpp"
#include "client/send_result.hpp"
#include "protocol/send_message.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace holdfast::client {

class pending_send;

// What the producer does with a try that ended.
class send_owner {
  public:
    virtual ~send_owner() = default;
    virtual void try_answered(std::shared_ptr<pending_send> send, const answer& reply) = 0;
    virtual void try_failed(std::shared_ptr<pending_send> send, const call_failure& why) = 0;
};

class pending_send : public pending_call, public std::enable_shared_from_this<pending_send> {
  public:
    explicit pending_send(std::shared_ptr<send_owner> owner) : owner_(std::move(owner)) {}

    void answered(const answer& reply) override { owner_->try_answered(shared_from_this(), reply); }
    void failed(const call_failure& why) override { owner_->try_failed(shared_from_this(), why); }

    std::string topic;
    std::string body; // as it goes out: compressed, or a batch's records
    std::string properties;
    std::string message_id;
    std::int32_t flag = 0;
    std::int32_t sys_flag = 0;
    timestamp_ms born;
    bool is_batch = false;
    bool is_half = false;
    bool pinned = false; // to the queue a selector chose

    in_flight::clock::time_point deadline;
    int tries_left = 1;
    int tries = 0;
    // What the last try met. Kept over tries: one of them may have stored the message.
    std::optional<send_error> last_failure;
    route_ptr route;
    std::size_t place = 0; // in route->writable
    std::size_t counted_bytes = 0;
    send_callback done;

  private:
    const std::shared_ptr<send_owner> owner_;
};

} // namespace holdfast::client
