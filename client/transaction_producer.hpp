// Sends messages that count only if a local transaction does (protocol reference 6.11).
//
// First a half message is stored: durable, and seen by nobody. Only when the broker has answered OK does the
// local transaction run; its outcome is then told to the broker, which shows or forgets the message. Should
// the outcome get lost (a crash, a broken connection), the broker asks a producer of the same group, and the
// checker answers from what the local transaction left behind, usually a row of its database. So the message
// and the local transaction happen both or neither.
//
// A send that failed or whose outcome is not known never runs the local transaction. An exception out of a
// callback counts as `unknown`. Retries are those of producer.hpp: one may leave a second half message with
// the same id, which the checker then decides like the first one; consumers tell the copy by its id.
//
// A producer asks the name server for all brokers and registers with every one of them, so a producer that
// was restarted is asked about what its predecessor left open before it has sent anything itself.
#pragma once

#include "base/result.hpp"
#include "client/half_message.hpp"
#include "client/message.hpp"
#include "client/message_view.hpp"
#include "client/producer.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace holdfast::client {

struct transaction_producer_options {
    // `sending.group` must be set: checks go to the members of the group.
    producer_options sending{};
    // Threads that run the checker, and how many checks may wait for them. What comes beyond is left to the
    // broker, which asks again.
    unsigned checker_threads = 2;
    std::size_t max_waiting_checks = 1'024;
    // send() then waits until the broker has answered the decision, too; else it is on its way.
    bool confirm_decisions = false;
    // How long the broker waits before it asks for the first time; 0 = as the broker is configured.
    std::chrono::seconds first_check_after{0};
    // Told about checks that could not be answered, in words; called on the io thread or a checker's.
    std::function<void(const error&)> on_trouble{};
};

// What became of a transactional send.
struct transaction_result {
    // Of the half message. An error: the local transaction did not run.
    send_result half;
    // What the local transaction said.
    transaction_decision decision = transaction_decision::unknown;
    // Whether the decision is on its way, or with confirm_decisions: durable at the broker. An error here is
    // no loss: the broker asks the checker.
    result<void> told{};
};

class transaction_producer {
  public:
    // Runs once the half message is stored; its receipt's message_id is what the checker sees, too.
    using local_transaction = std::function<transaction_decision(const message&, const send_receipt&)>;
    // What became of the local transaction of this message. May be called at any time, by several threads,
    // more than once for one message, and also while the local transaction still runs: say `unknown` then.
    using checker = std::function<transaction_decision(const message_view&)>;

    transaction_producer(transaction_producer_options options, checker check);
    // Shuts down.
    ~transaction_producer();
    transaction_producer(const transaction_producer&) = delete;
    transaction_producer& operator=(const transaction_producer&) = delete;

    // Checks the options, starts the threads and begins to look for brokers to register with.
    result<void> start();
    // Waits for the sends and decisions that are on their way and for running checks, then says goodbye. A
    // decision without a callback that finds no leader is waited for a second or so, then left to a check.
    // Idempotent. Not to be called from a callback.
    void shutdown();

    // Waits for the half message's answer, runs the local transaction on this thread, tells the broker. Not
    // to be called from a callback. A message with a delay is refused: a transaction decides when it is seen.
    transaction_result send(const message& outgoing, const local_transaction& run);

    // The two steps apart, for whoever decides later or elsewhere. Any number may be open at once.
    half_result send_half(message outgoing);
    // `done` is called exactly once, on the io thread (or on the calling one, if the message is refused
    // before it is sent): it must not block.
    void send_half_async(message outgoing, half_callback done);

    // Half messages on their way, without those that wait for a decision.
    [[nodiscard]] std::size_t in_flight() const;
    [[nodiscard]] const std::string& client_id() const;

  private:
    class engine;
    std::shared_ptr<engine> engine_;
};

} // namespace holdfast::client
