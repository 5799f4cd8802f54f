// The processes of the demonstration besides the broker: each is examples/demo.cpp again, started with a
// role.
//
// What happens is written to standard output as it happens, one line each, unbuffered, so that it counts even
// when the process is killed the moment after:
//     sent ID        handed to the client library
//     answered ID    the broker answered OK
//     decided ID     the local database has committed it
//     refused ID     the local database says no: it must never be seen
//     got ID         delivered to the application
//     done ID        the application has worked on it and acknowledged it
//     trouble TEXT
#pragma once

#include <string>

namespace holdfast::demo {

inline constexpr const char* topic = "demo";
inline constexpr const char* consumer_group = "demo_readers";

// Sends until its standard input is closed.
int produce(const std::string& name_servers, const std::string& prefix);
// Makes `count` transactions, every fourth of them refused by the database; after the database has committed
// number `stop_at` it stands still, and the broker is told nothing. Answers checks until its standard input
// is closed.
int pay(const std::string& name_servers, const std::string& database, int count, int stop_at);
// Receives and works until its standard input is closed.
int consume(const std::string& name_servers);

} // namespace holdfast::demo
