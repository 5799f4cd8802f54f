// How admin asks and waits. Private to admin*.cpp.
#pragma once

#include "client/admin.hpp"
#include "client/runtime.hpp"

#include <functional>
#include <future>
#include <initializer_list>
#include <utility>

namespace holdfast::client {

class admin::engine {
  public:
    explicit engine(client_options options) : client(std::move(options)) {}

    // Asks and waits; `read` makes the result of the outcome, on the io thread.
    template <class T, class Request>
    result<T> ask_broker(connection& whom, const Request& request,
                         std::function<result<T>(const call_outcome&)> read) {
        std::promise<result<T>> answered;
        ask(whom, request, {}, client.options().request_timeout,
            [&](const call_outcome& outcome) { answered.set_value(read(outcome)); });
        return answered.get_future().get();
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

    result<queue_offset> offset(const placed_queue& place, bool of_last) {
        const auto read = [](const call_outcome& outcome) -> result<queue_offset> {
            const auto header = header_of<protocol::offset_response>(outcome);
            if (!header)
                return header.failure();
            return header->offset;
        };
        if (of_last)
            return ask_broker<queue_offset>(
                *place.broker,
                protocol::get_max_offset_request{.topic = place.id.topic, .queue = place.id.queue}, read);
        return ask_broker<queue_offset>(
            *place.broker, protocol::get_min_offset_request{.topic = place.id.topic, .queue = place.id.queue},
            read);
    }

    // Every broker that takes changes now, by name; unavailable when there is none.
    result<std::vector<std::pair<std::string, std::shared_ptr<connection>>>> leaders() {
        using info = protocol::cluster_info;
        const auto cluster = ask_name_server<info>(
            protocol::get_cluster_info_request{}, [](const call_outcome& outcome) -> result<info> {
                if (!outcome.ok())
                    return to_error(outcome);
                return protocol::decode_cluster_info(outcome.reply->command().body());
            });
        if (!cluster)
            return cluster.failure();
        std::vector<std::pair<std::string, std::shared_ptr<connection>>> found;
        for (const auto& [name, broker] : cluster->brokers) {
            const auto leader = broker.addresses.find(0);
            if (leader == broker.addresses.end())
                continue;
            auto to = client.broker(leader->second);
            if (to == nullptr)
                return error{errc::malformed, "the name server gives broker " + name + " the address '" +
                                                  leader->second + "'"};
            found.emplace_back(name, std::move(to));
        }
        if (found.empty())
            return error{errc::unavailable, "the cluster has no broker that takes writes now"};
        return found;
    }

    // A request whose answer is yes or no.
    template <class Request>
    result<void> order(connection& whom, const Request& request) {
        const auto done = ask_broker<int>(whom, request, [](const call_outcome& outcome) -> result<int> {
            if (!outcome.ok())
                return to_error(outcome);
            return 0;
        });
        return done ? result<void>{} : result<void>{done.failure()};
    }

    // A request whose answer is a body that `decode` reads. A broker that answers with one of `nothing` has
    // nothing to say: T{}.
    template <class T, class Request>
    result<T> body_of(connection& whom, const Request& request, result<T> (*decode)(byte_view),
                      std::initializer_list<protocol::response_code> nothing = {}) {
        return ask_broker<T>(whom, request, [&](const call_outcome& outcome) -> result<T> {
            for (const auto code : nothing)
                if (outcome.code() == static_cast<int>(code))
                    return T{};
            if (!outcome.ok())
                return to_error(outcome);
            return decode(outcome.reply->command().body());
        });
    }

    runtime client;
};

} // namespace holdfast::client
