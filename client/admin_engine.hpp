// How admin asks and waits. Private to admin*.cpp.
#pragma once

#include "client/admin.hpp"
#include "client/runtime.hpp"

#include <chrono>
#include <functional>
#include <future>
#include <initializer_list>
#include <utility>

namespace holdfast::client {

// A broker, and the node that led it a moment ago.
struct leader {
    std::string broker_name;
    std::shared_ptr<connection> node;

    static leader of(const placed_queue& place) { return {place.id.broker_name, place.broker}; }
};

// Whether a request may be told to the next leader, too, when the one that was told first is gone without an
// answer and may have done it.
enum class when_unknown : std::uint8_t { repeat, give_up };

class admin::engine {
  public:
    explicit engine(client_options options) : client(std::move(options)) {}

    // Asks and waits; `read` makes the result of the outcome, on the io thread. When the leader is gone, the
    // next one is asked, a few times; `whom` is who was asked last.
    template <class T, class Request>
    result<T> ask_broker(leader& whom, const Request& request,
                         std::function<result<T>(const call_outcome&)> read,
                         when_unknown then = when_unknown::repeat) {
        const auto deadline = deadline_for_repeats();
        for (unsigned tries = 0;; ++tries) {
            bool is_gone = false;
            bool is_slow = false;
            bool perhaps_done = false;
            std::promise<result<T>> answered;
            ask(*whom.node, request, {}, client.options().request_timeout, [&](const call_outcome& outcome) {
                is_gone = is_fail_over(outcome);
                is_slow = outcome.failure != nullptr && outcome.failure->kind == call_failure_kind::timed_out;
                perhaps_done = may_be_done(outcome);
                answered.set_value(read(outcome));
            });
            auto got = answered.get_future().get();
            if (got || !is_gone)
                return got;
            if (perhaps_done && then == when_unknown::give_up)
                return error{got.failure().code,
                             got.failure().message +
                                 "; it may be done all the same: look before you order it again"};
            const auto asked = whom.node;
            if (!find_next_leader(whom, tries, deadline))
                return got;
            if (is_slow && whom.node == asked) // it leads, and would be as slow again
                return got;
        }
    }
    template <class T, class Request>
    result<T> ask_broker(leader&& whom, const Request& request,
                         std::function<result<T>(const call_outcome&)> read) {
        return ask_broker<T>(whom, request, std::move(read));
    }

    template <class T, class Request>
    result<T> ask_name_server(const Request& request, std::function<result<T>(const call_outcome&)> read) {
        std::promise<result<T>> answered;
        client.ask_name_server(
            [&](connection& server, call_handler done) {
                ask(server, request, {}, client.options().request_timeout, std::move(done));
            },
            [&](const call_outcome& outcome) { answered.set_value(read(outcome)); });
        return answered.get_future().get();
    }

    result<route_ptr> route(std::string_view topic) {
        std::promise<result<route_ptr>> found;
        client.fetch_route(std::string{topic}, [&](const result<route_ptr>& got) { found.set_value(got); });
        auto route = found.get_future().get();
        if (!route && route.failure().code == errc::not_found)
            return error{errc::not_found, "topic " + std::string{topic} +
                                              " does not exist; create it with `holdfast topic create " +
                                              std::string{topic} + "`"};
        return route;
    }

    result<queue_offset> offset(leader& whom, const message_queue& queue, bool of_last) {
        const std::function read = [](const call_outcome& outcome) -> result<queue_offset> {
            const auto header = header_of<protocol::offset_response>(outcome);
            if (!header)
                return header.failure();
            return header->offset;
        };
        if (of_last)
            return ask_broker<queue_offset>(
                whom, protocol::get_max_offset_request{.topic = queue.topic, .queue = queue.queue}, read);
        return ask_broker<queue_offset>(
            whom, protocol::get_min_offset_request{.topic = queue.topic, .queue = queue.queue}, read);
    }

    // Every broker that takes changes now, by name; unavailable when there is none, for a while.
    result<std::vector<leader>> leaders();

    // A request whose answer is yes or no.
    template <class Request>
    result<void> order(leader& whom, const Request& request, when_unknown then) {
        const auto done = ask_broker<int>(
            whom, request,
            [](const call_outcome& outcome) -> result<int> {
                if (!outcome.ok())
                    return to_error(outcome);
                return 0;
            },
            then);
        return done ? result<void>{} : result<void>{done.failure()};
    }

    // A request whose answer is a body that `decode` reads. A broker that answers with one of `nothing` has
    // nothing to say: T{}.
    template <class T, class Request>
    result<T> body_of(leader& whom, const Request& request, result<T> (*decode)(byte_view),
                      std::initializer_list<protocol::response_code> nothing = {},
                      when_unknown then = when_unknown::repeat) {
        return ask_broker<T>(
            whom, request,
            [&](const call_outcome& outcome) -> result<T> {
                for (const auto code : nothing)
                    if (outcome.code() == static_cast<int>(code))
                        return T{};
                if (!outcome.ok())
                    return to_error(outcome);
                return decode(outcome.reply->command().body());
            },
            then);
    }

    runtime client;

  private:
    // As the name service says now.
    result<std::vector<leader>> leaders_now();
    // After a pause that grows with `tries_before`; false when it is enough. A broker without a name is the
    // only one there is.
    bool find_next_leader(leader& whom, unsigned tries_before,
                          std::chrono::steady_clock::time_point deadline);
    [[nodiscard]] std::chrono::steady_clock::time_point deadline_for_repeats() const;
    void wait(std::chrono::milliseconds pause);
};

} // namespace holdfast::client
